// A self-contained HTML page: no other file, no network, and no style or script but its own.
import { createHash } from 'node:crypto';
import { escaped, jsonData } from './escape.js';

export interface HtmlDocument {
  readonly title: string;
  readonly style: string;
  /** Content of `main`, with users' text already escaped. */
  readonly body: string;
  readonly script?: string;
  /** Data for the script, in the element `data`. */
  readonly data?: unknown;
}

export function htmlDocument({ title, style, body, script, data }: HtmlDocument): string {
  const scripts = [
    ...(data === undefined ? [] : [`<script type="application/json" id="data">${jsonData(data)}</script>\n`]),
    ...(script === undefined ? [] : [`<script>${script}</script>\n`]),
  ];
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    ...(script === undefined ? [] : [`script-src '${hashOf(script)}'`]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.join('; ')}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
${scripts.join('')}</body>
</html>
`;
}

/** The hash by which a Content-Security-Policy allows exactly this text. */
function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
