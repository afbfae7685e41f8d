import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { present } from '../../../src/core/present.js';
import type { RosInstall } from '../../support/ros.js';

/** A node of rclpy that takes commands line by line: far faster than starting `ros2` for each question. */
const PROGRAM = String.raw`
import json, math, sys, threading, time
import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, DurabilityPolicy, ReliabilityPolicy
from rosidl_runtime_py import message_to_ordereddict, set_message_fields
from rosidl_runtime_py.utilities import get_message, get_service

rclpy.init()
node = Node('probe')
executor = SingleThreadedExecutor()
executor.add_node(node)
kept = {}
clients = {}
publishers = {}

def plain(value):
    if isinstance(value, dict): return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)): return [plain(v) for v in value]
    if isinstance(value, bytes): return list(value)
    if isinstance(value, float) and not math.isfinite(value): return str(value)
    return value

def dictionary(message):
    return plain(json.loads(json.dumps(message_to_ordereddict(message), default=lambda v: list(v))))

def spin_until(done, timeout):
    end = time.monotonic() + timeout
    while not done() and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    return done()

def listen(topic, type, latched=False):
    kept[topic] = []
    qos = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)
    node.create_subscription(get_message(type), topic, lambda m: kept[topic].append(dictionary(m)), qos)

def call(name, type, request, timeout=20):
    if name not in clients:
        clients[name] = node.create_client(get_service(type), name)
    client = clients[name]
    if not spin_until(client.service_is_ready, timeout):
        raise Exception('no service ' + name)
    message = get_service(type).Request()
    set_message_fields(message, request)
    future = client.call_async(message)
    if not spin_until(future.done, timeout):
        raise Exception('no answer from ' + name)
    return dictionary(future.result())

def calls(name, type, requests, timeout=20):
    call_client = node.create_client(get_service(type), name)
    if not spin_until(call_client.service_is_ready, timeout):
        raise Exception('no service ' + name)
    futures = []
    for request in requests:
        message = get_service(type).Request()
        set_message_fields(message, request)
        futures.append(call_client.call_async(message))
    if not spin_until(lambda: all(f.done() for f in futures), timeout):
        raise Exception('not every request was answered by ' + name)
    return [dictionary(f.result()) for f in futures]

def messages(topic, count=0, timeout=20):
    spin_until(lambda: len(kept[topic]) >= count, timeout)
    return kept[topic]

def forget(topic):
    kept[topic].clear()

def publish(topic, type, fields, count=1):
    # One publisher for each topic: a new one is unknown to the subscriptions again.
    if topic not in publishers:
        # Deep enough for everything at once: nobody receives a message that is overwritten before it is sent.
        qos = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
        publishers[topic] = node.create_publisher(get_message(type), topic, qos)
    publisher = publishers[topic]
    spin_until(lambda: publisher.get_subscription_count() > 0, 10)
    message = get_message(type)()
    set_message_fields(message, fields)
    for _ in range(count):
        publisher.publish(message)
    try:
        publisher.wait_for_all_acked(Duration(seconds=10))
    except Exception:
        pass # Not every middleware can tell.
    spin_until(lambda: False, 0.2)

def nodes():
    spin_until(lambda: False, 0.1)
    return sorted((ns.rstrip('/') + '/' + name) for name, ns in node.get_node_names_and_namespaces() if name != 'probe')

def gone(name, timeout):
    start = time.monotonic()
    spin_until(lambda: name not in nodes(), timeout)
    return -1 if name in nodes() else time.monotonic() - start

def there(name, timeout=20):
    if not spin_until(lambda: name in nodes(), timeout):
        raise Exception('no node ' + name + ' among ' + str(nodes()))

def spin(seconds):
    spin_until(lambda: False, seconds)

for line in sys.stdin:
    id, function, args = json.loads(line)
    try:
        answer = [id, globals()[function](*args), None]
    except Exception as error:
        answer = [id, None, str(error)]
    print(json.dumps(answer), flush=True)
node.destroy_node()
rclpy.shutdown()
`;

export type Dictionary = Record<string, unknown>;

/** Drives the program above. */
export class Probe implements AsyncDisposable {
  #next = 0;
  #stderr = '';
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(ros: RosInstall, domainId: number, env: NodeJS.ProcessEnv = {}) {
    const child = spawn('python3', ['-c', PROGRAM], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...ros.environment(domainId), ...env },
    });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (this.#stderr += chunk));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [id, result, error] = JSON.parse(line) as [number, unknown, string | null];
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === null) waiting?.resolve(result);
      else waiting?.reject(new Error(`probe: ${error}`));
    });
    this.#ended = new Promise((resolve) => {
      child.on('close', () => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`probe ended:\n${this.#stderr}`));
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Begins to keep the messages of a topic. */
  listen(topic: string, type: string, latched = false): Promise<void> {
    return this.#ask('listen', topic, type, latched);
  }

  /** The messages so far, once there are `count`, or after `timeoutS`. */
  messages<T = Dictionary>(topic: string, count = 0, timeoutS = 20): Promise<T[]> {
    return this.#ask('messages', topic, count, timeoutS);
  }

  /** The first message for which the claim is true, of those still to come too. */
  async until<T = Dictionary>(topic: string, claim: (message: T) => boolean, timeoutS = 20): Promise<T> {
    const end = performance.now() + timeoutS * 1_000;
    for (let count = 1; ; count++) {
      const all = await this.messages<T>(topic, count, 2);
      const found = all.find(claim);
      if (found !== undefined) return found;
      count = all.length;
      if (performance.now() > end) {
        throw new Error(`no such message on ${topic} among ${all.length}: ${JSON.stringify(all.at(-1))}`);
      }
    }
  }

  forget(topic: string): Promise<void> {
    return this.#ask('forget', topic);
  }

  call<T = Dictionary>(name: string, type: string, request: Dictionary = {}): Promise<T> {
    return this.#ask('call', name, type, request);
  }

  /** All at once; the answers in the same order. */
  calls<T = Dictionary>(name: string, type: string, requests: readonly Dictionary[]): Promise<T[]> {
    return this.#ask('calls', name, type, requests);
  }

  trigger(name: string): Promise<{ success: boolean; message: string }> {
    return this.call(name, 'std_srvs/srv/Trigger');
  }

  /**
   * Resolves once everything was acknowledged. The first message of a topic may still be lost: the publisher may
   * know a subscription before that one knows the publisher.
   */
  publish(topic: string, type: string, fields: Dictionary, count = 1): Promise<void> {
    return this.#ask('publish', topic, type, fields, count);
  }

  nodes(): Promise<string[]> {
    return this.#ask('nodes');
  }

  there(node: string): Promise<void> {
    return this.#ask('there', node);
  }

  /** Seconds until the node is gone from the graph; -1: it is still there. */
  gone(node: string, timeoutS: number): Promise<number> {
    return this.#ask('gone', node, timeoutS);
  }

  spin(seconds: number): Promise<void> {
    return this.#ask('spin', seconds);
  }

  #ask<T>(name: string, ...args: unknown[]): Promise<T> {
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      present(this.#child.stdin).write(`${JSON.stringify([id, name, args])}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    present(this.#child.stdin).end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await this.#ended;
    clearTimeout(timer);
  }
}
