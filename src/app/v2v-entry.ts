/** What a vehicle sends its datagrams with, and reads those of others: `holdfast/v2v` (docs/udp.md). */
export { V2vSender, type V2vSenderOptions } from '../sources/udp/v2v-sender.js';
export {
  decodeDatagram,
  encodeDatagram,
  type DatagramFault,
  type DecodedDatagram,
  type FleetMember,
  type V2vBody,
  type V2vDatagram,
  type V2vEncoding,
  type VehicleState,
} from '../sources/udp/datagram.js';
