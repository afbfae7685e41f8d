import { describeError } from '../../core/errors.js';
import { parseTransformRule } from '../../core/transform/rule.js';
import { present } from '../../core/present.js';
import { FrameStream } from './frame-stream.js';
import { loadRuntime, RUNTIME_PACKAGE, type InferenceRuntime } from './inference-runtime.js';
import { InferAnswers } from './infer-answers.js';
import { ModelSession } from './model-session.js';
import { parseHoldfastFrame, programDone, programEnd, programHello } from './program-side.js';

/*
 * The program of an `infer` rule: it speaks the protocol of docs/transform-process.md. A model can take any time and
 * memory, so it runs in a process that can be killed. Arguments: the rule as it was given, and the SHA-256 of the model.
 */
const [ruleText = '', sha256 = ''] = process.argv.slice(2);
const rule = present(parseTransformRule(ruleText)?.infer);

await run(new FrameStream(process.stdin, Infinity));

async function run(frames: FrameStream): Promise<void> {
  let answers: InferAnswers | undefined;
  for (let frame = await frames.next(); frame; frame = await frames.next()) {
    const said = parseHoldfastFrame(frame);
    switch (said.kind) {
      case 'hello': {
        const { release, loaded } = await load();
        answers = new InferAnswers(rule, loaded);
        await write([programHello(RUNTIME_PACKAGE, release)]);
        break;
      }
      case 'channel':
        present(answers).define(said.channel);
        break;
      case 'message':
        await write([...(await present(answers).answer(said.channel, said.data)), programDone()]);
        break;
      case 'end': {
        const { received, sent } = present(answers);
        await write([programEnd(received, sent)]);
        // Nothing keeps the process: the input ends now.
        return;
      }
    }
  }
}

/** The model, or why it could not be loaded, and the version of the runtime. */
async function load(): Promise<{ readonly release: string; readonly loaded: ModelSession | string }> {
  let runtime: InferenceRuntime | undefined;
  try {
    runtime = await loadRuntime();
    const release = runtime.env.versions.web ?? '';
    return { release, loaded: await ModelSession.load(runtime, rule, sha256) };
  } catch (error) {
    return { release: runtime?.env.versions.web ?? '', loaded: describeError(error) };
  }
}

function write(frames: readonly Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(Buffer.concat(frames), (error) => (error ? reject(error) : resolve()));
  });
}
