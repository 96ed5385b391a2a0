// Given to a process by NODE_OPTIONS=--import: its wall clock is shifted by the milliseconds in a
// file named after the process, read anew at each look, as if a time service or an administrator
// had set it. Monotonic clocks stay as they are.
import { readFileSync } from 'node:fs';

const { SHIFTED_CLOCK_FOLDER: folder, VOLUME_MOVER_ID: id } = process.env;
const TrueDate = Date;

/** The last shift that could be read stands while the file is being written. */
let shiftMs = 0;
function shift() {
  if (folder === undefined || id === undefined) return 0;
  try {
    const text = readFileSync(`${folder}/${id}`, 'utf8');
    const read = Number(text);
    if (text !== '' && Number.isFinite(read)) shiftMs = read;
  } catch {
    shiftMs = 0;
  }
  return shiftMs;
}

globalThis.Date = class Date extends TrueDate {
  constructor(...words) {
    if (words.length === 0) super(TrueDate.now() + shift());
    else super(...words);
  }

  static now() {
    return TrueDate.now() + shift();
  }
};
