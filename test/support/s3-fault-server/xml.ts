export function escapeXml(text: string): string {
  return text.replace(
    /[<>&"']/g,
    (char) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;' })[char] ?? char,
  );
}

export function unescapeXml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replace(/&#x?([0-9a-f]+);/gi, (all, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, all[2] === 'x' ? 16 : 10)),
    )
    .replaceAll('&amp;', '&');
}

/** Content of an element: text, or elements by name; a list repeats its element. Undefined is left out. */
export type XmlContent = string | number | boolean | undefined | readonly XmlContent[] | XmlElement;

export interface XmlElement {
  readonly [name: string]: XmlContent;
}

export function element(name: string, content: XmlContent): string {
  if (content === undefined) return '';
  if (Array.isArray(content)) return content.map((one: XmlContent) => element(name, one)).join('');
  if (typeof content === 'object') {
    const inside = Object.entries(content as XmlElement).map(([child, value]) => element(child, value));
    return `<${name}>${inside.join('')}</${name}>`;
  }
  return `<${name}>${escapeXml(String(content))}</${name}>`;
}

export function document(name: string, content: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(name, content)}`;
}
