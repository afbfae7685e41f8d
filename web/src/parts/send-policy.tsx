import { serverNow } from '../model/live.js';
import { bytes, coarse, counted, msOf, share } from '../model/format.js';
import { Fact } from '../ui/panel.js';
import type { SyncStatus } from '../wire.js';

type Policy = NonNullable<SyncStatus['sendPolicy']>;

/** What each robot sends on a day at its present rate; the largest three. */
export function ForecastFact({ sync: { forecast = [] } }: { readonly sync: SyncStatus }) {
  if (forecast.length === 0) return null;
  const shown = forecast.slice(0, 3).map((one) => {
    const cost = `${counted(one.objectsPerDay, 'object')}, ${counted(one.requestsPerDay, 'request')}`;
    return `${one.robot === '' ? 'others' : one.robot}: ${bytes(one.bytesPerDay)}, ${cost}`;
  });
  const rest = forecast.length - shown.length;
  return (
    <Fact term="Per day">
      {shown.join('; ')}
      {rest > 0 ? `; and ${rest} more` : ''}
    </Fact>
  );
}

/** When and how much each sink sends, what waits, and for which condition. */
export function SendPolicyFacts({ sync }: { readonly sync: SyncStatus }) {
  if (sync.sinks === undefined) {
    return sync.sendPolicy === undefined ? null : <OneSink policy={sync.sendPolicy} prefix="" />;
  }
  return (
    <>
      {sync.sinks.map(({ name, sendPolicy }) =>
        sendPolicy === undefined ? null : <OneSink key={name} policy={sendPolicy} prefix={`${name}: `} />,
      )}
    </>
  );
}

function OneSink({ policy, prefix }: { readonly policy: Policy; readonly prefix: string }) {
  const { isOpen, since, reason, waiting, passing, spentBytes, budgetBytes, day, conditions } = policy;
  const unknown = conditions.filter(({ state }) => state === 'unknown');
  return (
    <>
      <Fact term={`${prefix}May send`} tone={isOpen ? 'ok' : 'warn'}>
        {isOpen ? 'yes' : 'no'} for {coarse(serverNow() - msOf(since))}
        {isOpen ? '' : `: ${reason ?? ''}`}
      </Fact>
      {waiting.segments === 0 ? null : (
        <Fact term={`${prefix}Waiting`}>
          {counted(waiting.segments, 'segment')}, {bytes(waiting.bytes)}: {counted(waiting.objects, 'object')}
          , about {counted(waiting.requests, 'request')}
          {budgetBytes === undefined
            ? ''
            : `, ${(waiting.bytes / budgetBytes).toFixed(1)} days of the budget`}
          {passing.length === 0 ? '' : `; still sent: ${passing.join(', ')}`}
        </Fact>
      )}
      {isOpen && unknown.length > 0 ? (
        <Fact term={`${prefix}Unknown conditions`} tone="warn">
          {unknown.map(({ condition, reason: why }) => `${condition} (${why})`).join('; ')}
        </Fact>
      ) : null}
      <Fact term={`${prefix}Sent on ${day}`}>
        {bytes(spentBytes)}
        {budgetBytes === undefined ? '' : ` of ${bytes(budgetBytes)} (${share(spentBytes / budgetBytes)})`}
      </Fact>
    </>
  );
}
