import { serverNow } from '../model/live.js';
import { bytes, coarse, counted, msOf, share } from '../model/format.js';
import { Fact } from '../ui/panel.js';
import type { SyncStatus } from '../wire.js';

type Policy = NonNullable<SyncStatus['sendPolicy']>;

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
          {counted(waiting.segments, 'segment')}, {bytes(waiting.bytes)}
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
