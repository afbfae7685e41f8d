/** The stream of everything that robots send. */
export const UPLINK_STREAM = 'HOLDFAST_UPLINK';

/** Processes of one ground share the robots that call. */
export const GROUND_QUEUE = 'ground';

const PREFIX = 'holdfast';

/** Subjects of the stream. */
export const STREAM_SUBJECTS = `${PREFIX}.up.>`;

/** A name as one token of a subject: names of robots may have dots. */
export function subjectToken(name: string): string {
  return name.replaceAll('.', '%2E');
}

/** The subjects of the uplink. A robot needs only those with its own name, and `ended`. */
export const uplinkSubjects = {
  /** Requests of robots that want to connect. */
  open: (robot: string): string => `${PREFIX}.open.${robot}`,
  /** From a robot to the process that has accepted it. */
  up: (robot: string, worker: string, link: string): string => `${PREFIX}.up.${robot}.${worker}.${link}`,
  /** To a robot. */
  down: (robot: string, link: string): string => `${PREFIX}.down.${robot}.${link}`,
  /** Replies to requests of a robot. */
  inbox: (robot: string): string => `${PREFIX}.inbox.${robot}`,
  /** Tells the robots of a process that it is gone. */
  ended: (worker: string): string => `${PREFIX}.ended.${worker}`,
};

/** The name, the process and the connection in a subject of {@link uplinkSubjects.up}. */
export function readUpSubject(subject: string): { readonly robot: string; readonly link: string } {
  const [, , robot = '', , link = ''] = subject.split('.');
  return { robot, link };
}
