// What a vendor's splitter, appliance or replica site implements, and the forms that every call
// speaks in.
export * from './appliance-api.js';
export * from './attempt.js';
export * from './batch.js';
export * from './clock.js';
export * from './errors.js';
export * from './estate.js';
export * from './health.js';
export * from './ids.js';
export * from './images.js';
export * from './inventory.js';
export * from './lineage.js';
export * from './moment.js';
export * from './move.js';
export * from './point.js';
export * from './repair.js';
export * from './replica-site-api.js';
export * from './report.js';
export * from './retention.js';
export * from './route.js';
export * from './search-attributes.js';
export * from './splitter-api.js';
export type * from './steps.js';
export * from './verify.js';
export { VERSION } from './version.js';
