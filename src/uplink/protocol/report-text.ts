/** Maximum length of a text in a report, bytes. */
export const REPORT_TEXT_BYTES = 256;

/** A text within the bound of a report, cut at a character. */
export function reportText(text: string): string {
  if (Buffer.byteLength(text) <= REPORT_TEXT_BYTES) return text;
  const cut = Buffer.from(text).subarray(0, REPORT_TEXT_BYTES - 3);
  return `${cut.toString('utf8').replace(/\ufffd$/, '')}…`;
}
