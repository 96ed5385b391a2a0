// What programs import to try the product, or to test theirs, on an estate of simulators: real
// processes on this machine.
export { type Guest, type GuestOptions, startGuest } from './guest/guest.js';
export {
  launchEstate,
  type LaunchOptions,
  type LaunchTemporal,
  type PreparedEstate,
  type RunningEstate,
} from './launch.js';
export { nbdAddressOf } from './nbd-address.js';
export { openTemporal, type OpenTemporal, type OpenTemporalOptions } from './temporal/open.js';
