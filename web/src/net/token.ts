const KEY = 'holdfast.token';
let inMemory: string | undefined;

/** The token typed in for this tab; it ends with the tab and never goes into an address. */
export function storedToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? inMemory;
  } catch {
    return inMemory; // storage forbidden
  }
}

export function storeToken(token: string | undefined): void {
  inMemory = token;
  try {
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // see storedToken
  }
}
