/** The text of a message type that has no file of its own. */
export type Part = string;

/** rosidl gives every empty structure this field, and its byte is transmitted. */
const EMPTY = 'uint8 structure_needs_at_least_one_member\n';
const UUID = 'unique_identifier_msgs/UUID goal_id\n';

/**
 * The types of `/_service_event` of a service: its event, request and response. rosbag2 stores the text of
 * the .srv file instead, which few readers of ros2msg understand.
 */
export function serviceEvent(pkg: string, service: string, text: string): ReadonlyMap<string, Part> {
  const [request, response] = sections(text);
  return new Map([
    [`${service}_Event`, eventOf(pkg, service)],
    [`${service}_Request`, orEmpty(request)],
    [`${service}_Response`, orEmpty(response)],
  ]);
}

/** The types of the topics of an action: feedback, and the events of its services. */
export function actionPart(pkg: string, action: string, text: string): ReadonlyMap<string, Part> {
  const [goal, result, feedback] = sections(text);
  return new Map([
    [`${action}_Goal`, orEmpty(goal)],
    [`${action}_Result`, orEmpty(result)],
    [`${action}_Feedback`, orEmpty(feedback)],
    [`${action}_FeedbackMessage`, `${UUID}${pkg}/${action}_Feedback feedback\n`],
    [`${action}_SendGoal_Event`, eventOf(pkg, `${action}_SendGoal`)],
    [`${action}_SendGoal_Request`, `${UUID}${pkg}/${action}_Goal goal\n`],
    [`${action}_SendGoal_Response`, 'bool accepted\nbuiltin_interfaces/Time stamp\n'],
    [`${action}_GetResult_Event`, eventOf(pkg, `${action}_GetResult`)],
    [`${action}_GetResult_Request`, UUID],
    [`${action}_GetResult_Response`, `int8 status\n${pkg}/${action}_Result result\n`],
  ]);
}

function eventOf(pkg: string, service: string): Part {
  return [
    'service_msgs/ServiceEventInfo info',
    `${pkg}/${service}_Request[<=1] request`,
    `${pkg}/${service}_Response[<=1] response`,
    '',
  ].join('\n');
}

function sections(text: string): string[] {
  return text.split(/^---[ \t]*\r?$/m).map((section) => section.replace(/^\n/, ''));
}

function orEmpty(section = ''): Part {
  const hasField = section
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    // A constant is not a field.
    .some((line) => line !== '' && !/^\S+\s+[A-Z][A-Z0-9_]*\s*=/.test(line));
  return hasField ? section : `${section}${section === '' || section.endsWith('\n') ? '' : '\n'}${EMPTY}`;
}
