// Run with mocha: npx mocha examples/store-adapter/map-store.test.mjs
import { storeContract } from 'holdfast/testing';
import { MapStore } from './map-store.mjs';

storeContract('a store in a Map', { partBytes: 4096, manyParts: 120 }, async () => {
  const store = new MapStore();
  return {
    store,
    reopen: async () => new MapStore(store.backing),
    corrupt: async (key) => void (store.backing.objects.get(key)[0] ^= 1),
    close: () => store[Symbol.asyncDispose](),
  };
});
