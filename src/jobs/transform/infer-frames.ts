/*
 * What the program of an `infer` rule writes beside its outputs. These topics have no slash at their start, so no
 * recorded topic of ROS is one of them, and nothing on them gets into a file.
 */

/** One byte for each mark whose condition has become true: its place in the rule. */
export const MARKS_TOPIC = 'holdfast/marks';
/** A text without content of a message: why the rule cannot be applied. Trying again does not help. */
export const FAULT_TOPIC = 'holdfast/fault';
/** Longest text of a fault, in characters. */
export const FAULT_MAX = 500;
