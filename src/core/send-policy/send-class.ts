/** Classes of segments that may be sent when the rest waits. */
export const passClasses = ['events', 'high', 'requested'] as const;

/** `events`: it overlaps a marked event. `high`: its priority. `requested`: a person or a request named it. */
export type PassClass = (typeof passClasses)[number];
