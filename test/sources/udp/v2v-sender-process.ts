// A vehicle in a process of its own: sends COUNT datagrams to ADDRESS PORT over the interface IFACE, leaves
// out those whose number is divisible by LOSE and swaps each pair whose first is divisible by SWAP (0: none).
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { senderOf, STANDING } from './v2v-traffic.js';
import { present } from '../../../src/core/present.js';
import { sleep } from '../../../src/testing/waiting.js';

const [address, port, iface, count, lose, swap] = process.argv.slice(2);
const family = isIPv6(present(address)) ? 'udp6' : 'udp4';
const socket = createSocket(family);
await new Promise<void>((resolve) => socket.bind(0, resolve));
socket.setMulticastInterface(family === 'udp6' ? `::%${iface}` : '10.77.0.2');
const isDivisible = (number: number, by: string | undefined): boolean =>
  Number(by) > 0 && number % Number(by) === 0;

const car = senderOf({ session: 'far' });
const datagrams = Array.from({ length: Number(count) }, () => car.state(STANDING));
const order = datagrams.map((_, i) => i + 1);
for (let i = 0; i + 1 < order.length; i++) {
  if (isDivisible(i + 1, swap)) [order[i], order[i + 1]] = [order[i + 1]!, order[i]!];
}
for (const number of order) {
  if (isDivisible(number, lose)) continue;
  await new Promise((resolve) => socket.send(datagrams[number - 1]!, Number(port), address, resolve));
  if (number % 20 === 0) await sleep(2);
}
socket.close();
