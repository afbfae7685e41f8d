import { useId, useState } from 'preact/hooks';
import { timeOfDay } from '../model/format.js';
import { post } from '../net/control.js';
import { Panel } from '../ui/panel.js';
import { AccessList, ConfirmAccess, type Holder } from './access-list.js';
import { issuedToken } from './issued-token.js';
import { NameForm } from './name-form.js';
import { usePoll } from './use-poll.js';

const ASK_MS = 10_000;
const roles = ['viewer', 'operator', 'admin'] as const;
type Role = (typeof roles)[number];
const may: Readonly<Record<Role, string>> = {
  viewer: 'looks at everything',
  operator: 'also controls the robots',
  admin: 'also manages robots and users',
};

interface User extends Holder {
  readonly role: Role;
}

interface People {
  readonly people: readonly { readonly name: string; readonly role: Role; readonly addedAt: string }[];
}

/** People who may ask the ground: add one, give one another role and a new token, revoke one. */
export function UsersPanel() {
  const { value, why, look } = usePoll<People>('api/people', ASK_MS);
  const { value: me } = usePoll<{ readonly name: string }>('api/me', ASK_MS);
  const users = value?.people.map(({ name, role, addedAt }): User => {
    const self = name === me?.name ? ', you' : '';
    return { name, role, about: `${role}${self}, token of ${timeOfDay(Date.parse(addedAt))}` };
  });
  const isFirst = users?.length === 0;
  const [chosen, setChosen] = useState<Role | undefined>();
  const role = chosen ?? (isFirst ? 'admin' : 'viewer');
  const [asked, setAsked] = useState<
    { readonly user: User; readonly does: 'renew' | 'revoke' } | undefined
  >();
  const [fault, setFault] = useState<string | undefined>();
  const close = (): void => setAsked(undefined);
  const add = async (name: string, as: Role): Promise<string | undefined> => {
    const outcome = await post(`api/people/${encodeURIComponent(name)}`, { role: as });
    look();
    if (!outcome.ok) return outcome.why;
    issuedToken.set({ kind: 'user', name, token: (outcome.result as { token: string }).token });
    return undefined;
  };
  const revoke = async (name: string): Promise<string | undefined> => {
    const outcome = await post(`api/people/${encodeURIComponent(name)}/revoke`, {});
    look();
    return outcome.ok ? undefined : outcome.why;
  };
  const lastAdmin = users?.filter((user) => user.role === 'admin').length === 1;
  const warning = (user: User, stays: boolean): string =>
    [
      ...(user.name === me?.name ? ['This is the token of this page.'] : []),
      ...(user.role === 'admin' && lastAdmin && !stays
        ? ['There is no other admin: only the command line can add one then.']
        : []),
    ].join(' ');
  return (
    <Panel title="People" area="people" aside="Each has a role and a token">
      {isFirst ? (
        <p class="access-note">
          Nobody needs a token yet. With the first user, everybody needs one: add an admin, and keep the
          token.
        </p>
      ) : null}
      <NameForm
        {...{ what: 'user', button: 'Add', known: users?.map(({ name }) => name) ?? [] }}
        onSubmit={(name) => add(name, role)}
      >
        <RoleField role={role} onChoose={setChosen} />
      </NameForm>
      {(fault ?? why) === undefined ? null : (
        <p class="missing" role="alert">
          <strong>It does not work:</strong> {fault ?? why}.
        </p>
      )}
      <AccessList
        {...{ what: 'user', holders: users, empty: 'There are no users yet.', renew: 'Change' }}
        onRenew={(user) => setAsked({ user, does: 'renew' })}
        onRevoke={(user) => setAsked({ user, does: 'revoke' })}
      />
      {asked === undefined ? null : asked.does === 'renew' ? (
        <ChangeUser
          {...{ user: asked.user, warningFor: (as) => warning(asked.user, as === 'admin'), onClose: close }}
          onChange={async (as) => {
            close();
            setFault(await add(asked.user.name, as));
          }}
        />
      ) : (
        <ConfirmAccess
          {...{
            title: `${asked.user.name}: Revoke the token?`,
            button: 'Revoke',
            isDanger: true,
            onClose: close,
          }}
          onConfirm={() => {
            close();
            void revoke(asked.user.name).then(setFault);
          }}
        >
          <p>The token ends at once, and open pages close within 5 s. {warning(asked.user, false)}</p>
        </ConfirmAccess>
      )}
    </Panel>
  );
}

function ChangeUser(props: {
  readonly user: User;
  readonly warningFor: (role: Role) => string;
  readonly onClose: () => void;
  readonly onChange: (role: Role) => Promise<void>;
}) {
  const { user, warningFor, onClose, onChange } = props;
  const [role, setRole] = useState<Role>(user.role);
  return (
    <ConfirmAccess
      {...{ title: `${user.name}: New token and role`, button: 'New token', isDanger: false, onClose }}
      onConfirm={() => void onChange(role)}
    >
      <p>The present token ends at once. {warningFor(role)}</p>
      <RoleField role={role} onChoose={setRole} />
    </ConfirmAccess>
  );
}

function RoleField({ role, onChoose }: { readonly role: Role; readonly onChoose: (role: Role) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Role</label>
      <select
        id={id}
        name="role"
        value={role}
        onChange={({ currentTarget }) => onChoose(currentTarget.value as Role)}
      >
        {roles.map((one) => (
          <option key={one} value={one}>
            {`${one}: ${may[one]}`}
          </option>
        ))}
      </select>
    </div>
  );
}
