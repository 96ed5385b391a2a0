// The characters of a timeline on a terminal, in Unicode or ASCII.

export interface Glyphs {
  /** The number of points in a column, from one to the most. */
  readonly levels: readonly string[];
  readonly leftOut: string;
  readonly owned: string;
  readonly begins: string;
  readonly ends: string;
  /** Continues at the right end. */
  readonly goesOn: string;
  readonly hole: string;
  readonly axis: string;
  readonly tick: string;
  readonly separator: string;
  readonly upTo: string;
  readonly ellipsis: string;
}

export const UNICODE: Glyphs = {
  levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
  leftOut: '○',
  owned: '━',
  begins: '┣',
  ends: '┫',
  goesOn: '▶',
  hole: '╳',
  axis: '─',
  tick: '┬',
  separator: ' · ',
  upTo: ' … ',
  ellipsis: '…',
};

export const ASCII: Glyphs = {
  levels: ['.', ':', '|', '#'],
  leftOut: 'o',
  owned: '=',
  begins: '[',
  ends: ']',
  goesOn: '>',
  hole: 'X',
  axis: '-',
  tick: '+',
  separator: ', ',
  upTo: ' to ',
  ellipsis: '~',
};
