import { MessageType } from './message-type.js';

/** Every message type the nodes publish. */
export const rosMessages = {
  recorderStatus: MessageType.own('RecorderStatus'),
  syncStatus: MessageType.own('SyncStatus'),
  topicStats: MessageType.own('TopicStats'),
  topicStatsArray: MessageType.own('TopicStatsArray'),
  segmentSealed: MessageType.own('SegmentSealed'),
  segmentSynced: MessageType.own('SegmentSynced'),
  linkChanged: MessageType.own('LinkChanged'),
  gap: MessageType.own('Gap'),
  diagnosticArray: MessageType.common('diagnostic_msgs/DiagnosticArray'),
  parameterEvent: MessageType.common('rcl_interfaces/ParameterEvent'),
} as const;
