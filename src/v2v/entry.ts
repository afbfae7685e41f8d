// The library entrance `holdfast/v2v`: vehicle-to-vehicle messages over UDP. docs/udp.md has examples.
export { V2vManager } from './v2v-manager.js';
export type {
  EstimationLogger,
  FleetEstimate,
  KnownVehicle,
  LocalEstimate,
  V2vManagerOptions,
} from './v2v-manager-options.js';
export type { V2vStats } from './v2v-stats.js';
export type { IntakeFault } from '../sources/udp/datagram-intake.js';
export type { EstimatedPose } from '../core/ros/estimations.js';
export { V2vSender, type V2vSenderOptions } from '../sources/udp/v2v-sender.js';
export {
  decodeDatagram,
  encodeDatagram,
  type DatagramFault,
  type DecodedDatagram,
  type FleetBody,
  type FleetMember,
  type V2vBody,
  type V2vDatagram,
  type V2vEncoding,
  type ReadDatagram,
  type RefusedDatagram,
  type StateBody,
  type VehicleState,
} from '../sources/udp/datagram.js';
export {
  HoldfastError,
  isHoldfastError,
  type ErrorFacts,
  type HoldfastErrorOptions,
} from '../core/errors.js';
export { errorCatalogue, type CatalogueEntry, type ErrorCode } from '../core/error-catalogue.js';
