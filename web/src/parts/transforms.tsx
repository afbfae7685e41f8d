import { bytes, counted } from '../model/format.js';
import { Fact } from '../ui/panel.js';
import type { SyncStatus } from '../wire.js';

type Transforms = NonNullable<SyncStatus['transforms']>;

/** What sync.transform changed on the way to each store. */
export function TransformFacts({ sync }: { readonly sync: SyncStatus }) {
  if (sync.sinks === undefined) {
    return sync.transforms === undefined ? null : <OneSink transforms={sync.transforms} prefix="" />;
  }
  return (
    <>
      {sync.sinks.map(({ name, transforms }) =>
        transforms === undefined ? null : <OneSink key={name} transforms={transforms} prefix={`${name}: `} />,
      )}
    </>
  );
}

function OneSink({ transforms, prefix }: { readonly transforms: Transforms; readonly prefix: string }) {
  const { segments, bytesIn, bytesOut, failed, parked } = transforms;
  return (
    <Fact term={`${prefix}Changed`} tone={parked > 0 ? 'warn' : undefined}>
      {counted(segments, 'segment')}, payloads of {bytes(bytesIn)} to {bytes(bytesOut)}
      {failed === 0 ? '' : `; ${counted(failed, 'attempt')} failed`}
      {parked === 0 ? '' : `; ${counted(parked, 'segment')} parked`}
    </Fact>
  );
}
