/**
 * The text with only LF at the end of each line. Old Macs ended lines with CR alone, and some programs still
 * do. Code that only knows LF reads such a text as one line.
 */
export function unixLines(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}
