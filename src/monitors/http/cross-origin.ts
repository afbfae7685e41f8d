/** Of answers that pages of other sites may read: the address proves that they may. */
export const crossOriginHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'accept-ranges, content-length, content-range, content-type, etag',
  'cross-origin-resource-policy': 'cross-origin',
};

/** Of the answer to the question of a browser whether such a page may ask. */
export const preflightHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'range, if-range',
  // Chromium asks this before a public page reads from a private network, such as this machine.
  'access-control-allow-private-network': 'true',
  'access-control-max-age': '600',
};
