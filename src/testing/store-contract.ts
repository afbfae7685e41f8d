import { keyTests } from './store-keys.js';
import { objectTests } from './store-objects.js';
import { StoreUnderTest, type ContractOptions, type StoreHarness } from './store-under-test.js';
import { uploadTests } from './store-uploads.js';
import { verificationTests } from './store-verification.js';

export type { ContractOptions, StoreHarness };
export { all, assertCode, collect, digestOf } from './store-under-test.js';

/**
 * Defines the contract suite of store adapters with mocha: it proves what `src/core/store.ts` promises. Every
 * adapter runs the same suite.
 *
 * @param name - Of the adapter, for the name of the suite.
 * @param options - The adapter's limits.
 * @param open - Creates an empty store for one test; the suite closes it.
 */
export function storeContract(
  name: string,
  options: ContractOptions,
  open: () => Promise<StoreHarness>,
): void {
  describe(`the store contract, kept by ${name}`, () => {
    const test = new StoreUnderTest(options, open);
    beforeEach(() => test.begin());
    afterEach(() => test.end());

    objectTests(test);
    keyTests(test);
    uploadTests(test);
    verificationTests(test);
  });
}
