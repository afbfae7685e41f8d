/** Lets the catalogue of a ground list its stores; returns why one of them cannot be listed. */
export async function refreshCatalogue(url: string): Promise<string | undefined> {
  const answer = await fetch(`${url}/api/catalogue/refresh`, { method: 'POST' });
  if (!answer.ok) return `the ground answers ${answer.status}: ${(await answer.text()).slice(0, 300)}`;
  const { stores } = (await answer.json()) as {
    stores: readonly { readonly uri: string; readonly error?: string }[];
  };
  const failed = stores.find(({ error }) => error !== undefined);
  return failed && `${failed.uri} cannot be listed: ${failed.error ?? ''}`;
}
