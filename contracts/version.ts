// The product's version. A test compares it with package.json, which code below dist/ can't locate.
export const VERSION = '0.2.0';
