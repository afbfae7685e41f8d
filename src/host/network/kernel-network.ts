import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import {
  unknownNetwork,
  type Fact,
  type NetworkFacts,
  type NetworkSource,
} from '../../core/send-policy/facts.js';
import { defaultInterface } from './default-route.js';

/** Kernel modules of modems, and of telephones that share their link over USB. */
const METERED_DRIVERS: ReadonlySet<string> = new Set([
  'cdc_mbim',
  'qmi_wwan',
  'huawei_cdc_ncm',
  'sierra_net',
  'option',
  'ipheth',
  'rndis_host',
]);
/** Hardware types of `linux/if_arp.h`. */
const ARPHRD_ETHER = '1';
const ARPHRD_PPP = '512';
const ARPHRD_RAWIP = '519';

type KernelFiles = Pick<FileSystem, 'readFile' | 'stat'>;

/** Facts about the default route's interface from `/proc/net` and `/sys/class/net`. */
export class KernelNetwork implements NetworkSource {
  readonly #fs: KernelFiles;
  readonly #proc: string;
  readonly #sys: string;

  constructor(fs: KernelFiles, { proc = '/proc', sys = '/sys' } = {}) {
    this.#fs = fs;
    this.#proc = proc;
    this.#sys = sys;
  }

  async read(): Promise<NetworkFacts> {
    let name: string;
    try {
      name = await defaultInterface(this.#fs, this.#proc);
    } catch (error) {
      return unknownNetwork(`the routes of the kernel cannot be read: ${describeError(error)}`);
    }
    if (name === '') return { ...unknownNetwork('there is no default route'), interface: { value: '' } };
    const isWireless = await this.#exists(name, 'phy80211');
    return {
      interface: { value: name },
      ssid: isWireless ? { unknown: 'NetworkManager does not tell it' } : { value: '' },
      metered: await this.#metered(name, isWireless),
      linkBitsPerS: await this.#rate(name),
    };
  }

  /** A guess by the kind of interface; nothing is known about Wi-Fi, which may be a telephone. */
  async #metered(name: string, isWireless: boolean): Promise<Fact<boolean>> {
    if (isWireless) return { unknown: `${name} is Wi-Fi, and NetworkManager does not tell it` };
    const type = await this.#text(name, 'type');
    const isModem = /^DEVTYPE=wwan$/m.test((await this.#text(name, 'uevent')) ?? '');
    if (isModem || type === ARPHRD_PPP || type === ARPHRD_RAWIP) return { value: true };
    const driver = await this.#driver(name);
    if (driver !== undefined && METERED_DRIVERS.has(driver)) return { value: true };
    if (type === ARPHRD_ETHER && driver !== undefined) return { value: false };
    return { unknown: `${name} is neither a network card nor a modem` };
  }

  async #rate(name: string): Promise<Fact<number>> {
    const mbit = Number(await this.#text(name, 'speed'));
    return mbit > 0 ? { value: mbit * 1e6 } : { unknown: `the driver of ${name} reports no rate` };
  }

  /** Undefined for an interface without hardware, such as a bridge or a tunnel. */
  async #driver(name: string): Promise<string | undefined> {
    return /^DRIVER=(.+)$/m.exec((await this.#text(name, 'device/uevent')) ?? '')?.[1];
  }

  /** Undefined if the file is missing, or if the driver refuses the read. */
  async #text(name: string, file: string): Promise<string | undefined> {
    try {
      return (await this.#fs.readFile(`${this.#sys}/class/net/${name}/${file}`, 'utf8')).trim();
    } catch {
      return undefined;
    }
  }

  async #exists(name: string, file: string): Promise<boolean> {
    return this.#fs.stat(`${this.#sys}/class/net/${name}/${file}`).then(
      () => true,
      () => false,
    );
  }
}
