// The product's version, as package.json says it (a test compares): code below dist/ can't tell
// where that file lies.
export const VERSION = '0.2.0';
