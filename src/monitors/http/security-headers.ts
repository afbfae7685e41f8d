/** The headers of a page that may also load images from these origins. */
export function headersWithImages(origins: readonly string[]): Readonly<Record<string, string>> {
  if (origins.length === 0) return securityHeaders;
  const name = 'content-security-policy';
  const policy =
    securityHeaders[name]?.replace("img-src 'self'", `img-src 'self' ${origins.join(' ')}`) ?? '';
  return { ...securityHeaders, [name]: policy };
}

/** Sent with every answer: the page may load and call only its own server, and no page may embed it. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};
