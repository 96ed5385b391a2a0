// Styles shared by all pages, light and dark. Text has a contrast of at least 4.5 to 1 in both.

export const BASE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1b2430; --quiet: #566173; --line: #d9dee6;
  --lane0: #1f6feb; --lane1: #0f8a6d; --lane2: #b35900; --lane3: #a0397f; --lane4: #0b7fab; --lane5: #5b6b7f;
  --hole: #c4261d; --hole-soft: #fbe3e1; --mark: #7a3ec8; --on-mark: #ffffff; --focus: #d97706;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151c; --card: #18202a; --text: #e6ebf2; --quiet: #a2aebd; --line: #2e3947;
    --lane0: #6cabff; --lane1: #4ecdaa; --lane2: #f2a65a; --lane3: #ec8fc8; --lane4: #63c5e8; --lane5: #a9b7c8;
    --hole: #ff7b72; --hole-soft: #4a2023; --mark: #c9a7ff; --on-mark: #1a1030; --focus: #ffc857;
  }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 28px 24px 40px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1280px; margin: 0 auto; overflow-wrap: anywhere; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 28px 0 10px; }
.sub { margin: 0 0 18px; color: var(--quiet); }
.facts { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 18px; padding: 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 16px; min-width: 130px; }
.facts dt { color: var(--quiet); font-size: 13px; }
.facts dd { margin: 0; font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts .bad dd { color: var(--hole); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; margin: 0 0 16px; }
.scroll { overflow-x: auto; }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.94em; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--quiet); font-weight: 500; font-size: 13px; }
th, td { padding: 6px 16px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
td.nowrap, th.number, td.number { white-space: nowrap; }
td.number, th.number { text-align: right; }
.badge { color: var(--hole); font-weight: 600; }
footer { color: var(--quiet); font-size: 13px; margin-top: 20px; }
/* On a narrow screen each row of a table is a card: columns would be one letter wide. */
@media (max-width: 640px) {
  body { padding: 16px 12px 28px; }
  .card { padding: 12px; }
  .facts { gap: 8px; }
  .facts div { flex: 1 1 40%; min-width: 0; padding: 8px 12px; }
  table, tbody, tr, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: 8px 0; border-bottom: 1px solid var(--line); }
  tr:last-child { border-bottom: 0; }
  td, td.number, td.nowrap { display: flex; gap: 12px; padding: 2px 0; border-bottom: 0; text-align: left; white-space: normal; }
  td::before { content: attr(data-title); flex: 0 0 92px; color: var(--quiet); font-size: 13px; line-height: 22px; }
  td > * { min-width: 0; }
  td:empty { display: none; }
}
`;
