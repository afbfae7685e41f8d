/** Options as text, from a URI's query or a configuration file. Missing ones take their default. */
export type StoreOptionTexts = Readonly<Record<string, string | number | boolean | undefined>>;

const SHOWN_CHARACTERS = 80;

/** A value as a fault shows it. */
export function showValue(value: string): string {
  return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}...` : value);
}

/** Reads the options of a store and collects every fault. */
export class OptionReader {
  readonly #texts: StoreOptionTexts;
  readonly #faults: string[];

  constructor(texts: StoreOptionTexts, names: readonly string[], faults: string[]) {
    this.#texts = texts;
    this.#faults = faults;
    for (const name of Object.keys(texts)) {
      if (!names.includes(name)) {
        faults.push(`option ${showValue(name)} is unknown, allowed: ${names.join(', ')}`);
      }
    }
  }

  text(name: string): string | undefined {
    const value = this.#texts[name];
    return value === undefined || value === '' ? undefined : String(value);
  }

  flag(name: string, byDefault: boolean): boolean {
    const value = this.text(name);
    if (value === undefined) return byDefault;
    if (value !== 'true' && value !== 'false') {
      this.#faults.push(`${name} is ${showValue(value)}, allowed: true, false`);
    }
    return value === 'true';
  }

  count(name: string, byDefault: number, min: number, max: number): number {
    const value = this.text(name);
    if (value === undefined) return byDefault;
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < min || number > max) {
      this.#faults.push(`${name} is ${showValue(value)}, allowed: a whole number from ${min} to ${max}`);
    }
    return number;
  }

  /** A text that must pass a check. */
  form(name: string, isAllowed: (value: string) => boolean, allowed: string): string | undefined {
    const value = this.text(name);
    if (value !== undefined && !isAllowed(value)) {
      this.#faults.push(`${name} is ${showValue(value)}, allowed: ${allowed}`);
    }
    return value;
  }

  choice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value !== undefined && !allowed.some((one) => one === value)) {
      this.#faults.push(`${name} is ${showValue(value)}, allowed: ${allowed.join(', ')}`);
    }
    return value as T | undefined;
  }
}

/** Reports an endpoint that is no plain HTTP address. Credentials in it are not repeated. */
export function checkEndpoint(endpoint: string, form: string, credentials: string, faults: string[]): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && (url.username !== '' || url.password !== '')) {
    faults.push(`endpoint holds credentials; ${credentials}`);
  } else if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    // A query may be a shared access signature.
    const shown = endpoint.replace(/\/\/[^/]*@/, '//***@').replace(/\?.*$/s, '?***');
    faults.push(`endpoint is ${showValue(shown)}, allowed: ${form}`);
  }
}
