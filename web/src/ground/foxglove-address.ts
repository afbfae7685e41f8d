/** Opens a file of this ground in Foxglove, which reads the parts of it that it shows. */
export function foxgloveAddress(file: string): string {
  const address = new URL('https://app.foxglove.dev/~/view');
  address.searchParams.set('ds', 'remote-file');
  address.searchParams.set('ds.url', file);
  return address.href;
}
