// What programs import: the SDK client, and the types and errors that its calls speak in.
export { createMoverClient, type MoverClient, type MoverClientOptions } from './sdk.js';
export { findEstateFile, readEstateFile } from './estate-file.js';
export type { Move, MoveState, StartedMove, StartMoveOptions, WatchOptions } from './moves.js';
export type { ListedGroup, ListedPoints, ListedVolume, PointOwner } from './inventory.js';
export type { Recovered, RecoveredVolume, RecoverInput, RecoverOptions } from './recover.js';
export { connectTemporal, type TemporalAccess } from './temporal.js';
export { ERRORS, MoverError, type ErrorCode, type Reason } from '../contracts/errors.js';
export type { MoveInput, MovePlan, MoveProgress, MoveReport } from '../contracts/move.js';
