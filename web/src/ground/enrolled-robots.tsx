import { useState } from 'preact/hooks';
import { coarse } from '../model/format.js';
import { useStore } from '../model/store.js';
import { post } from '../net/control.js';
import { Panel } from '../ui/panel.js';
import { AccessList, ConfirmAccess, type Holder } from './access-list.js';
import { issuedToken } from './issued-token.js';
import { addressOf, fleet } from './model.js';
import { NameForm } from './name-form.js';
import { usePoll } from './use-poll.js';

const ASK_MS = 10_000;

/** Robots that may connect: enrol one, give one a new token, revoke one. */
export function EnrolledRobots() {
  const { value, why, look } = usePoll<{ readonly robots: readonly string[] }>('api/enrolled', ASK_MS);
  const robots = useHolders(value?.robots);
  const [asked, setAsked] = useState<
    { readonly robot: string; readonly does: 'renew' | 'revoke' } | undefined
  >();
  const [fault, setFault] = useState<string | undefined>();
  const close = (): void => setAsked(undefined);
  const enrol = async (robot: string): Promise<string | undefined> => {
    const outcome = await post(`api/enrolled/${encodeURIComponent(robot)}`, {});
    look();
    if (!outcome.ok) return outcome.why;
    issuedToken.set({ kind: 'robot', name: robot, token: (outcome.result as { token: string }).token });
    return undefined;
  };
  const revoke = async (robot: string): Promise<string | undefined> => {
    const outcome = await post(`api/enrolled/${encodeURIComponent(robot)}/revoke`, {});
    look();
    return outcome.ok ? undefined : outcome.why;
  };
  const confirm = async (): Promise<void> => {
    if (asked === undefined) return;
    close();
    setFault(await (asked.does === 'renew' ? enrol(asked.robot) : revoke(asked.robot)));
  };
  return (
    <Panel title="Robots" area="enrolled" aside="Each has a token of its own">
      <NameForm what="robot" button="Enrol" known={value?.robots ?? []} onSubmit={enrol} />
      {(fault ?? why) === undefined ? null : (
        <p class="missing" role="alert">
          <strong>It does not work:</strong> {fault ?? why}.
        </p>
      )}
      <AccessList
        {...{ what: 'robot', holders: robots, empty: 'No robot may connect yet.', renew: 'New token' }}
        onRenew={({ name }) => setAsked({ robot: name, does: 'renew' })}
        onRevoke={({ name }) => setAsked({ robot: name, does: 'revoke' })}
      />
      {asked === undefined ? null : asked.does === 'renew' ? (
        <ConfirmAccess
          {...{ button: 'New token', isDanger: false, onClose: close, onConfirm: () => void confirm() }}
          title={`${asked.robot}: Replace the token?`}
        >
          <p>
            The present token ends: the robot is disconnected within 5 s, and records without the ground until
            it has the new one.
          </p>
        </ConfirmAccess>
      ) : (
        <ConfirmAccess
          {...{ button: 'Revoke', isDanger: true, onClose: close, onConfirm: () => void confirm() }}
          title={`${asked.robot}: Revoke its token?`}
        >
          <p>
            The robot is disconnected within 5 s, and leaves the page of the fleet within a minute. Its
            history and its recordings stay.
          </p>
        </ConfirmAccess>
      )}
    </Panel>
  );
}

/** With what the fleet says of them. */
function useHolders(names: readonly string[] | undefined): readonly Holder[] | undefined {
  const rows = new Map((useStore(fleet) ?? []).map((row) => [row.robot, row]));
  return names?.map((name) => {
    const row = rows.get(name);
    if (row === undefined) return { name, about: 'has not connected yet' };
    const heard = row.connected ? 'connected' : `heard ${coarse(Date.now() - row.heardMs)} ago`;
    const about = row.vin === '' ? heard : `${row.vin}, ${heard}`;
    return { name, about, href: addressOf(name) };
  });
}
