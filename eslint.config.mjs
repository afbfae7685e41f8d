import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import tseslint from 'typescript-eslint';
import prettier from 'eslint-config-prettier';

// One table says which layer may import which; test/architecture.test.ts reads the same file.
const layers = JSON.parse(readFileSync(new URL('./layers.json', import.meta.url), 'utf8'));
const names = Object.keys(layers);
const source = new URL('./src/', import.meta.url).pathname;

/** The layer of a file: the longest folder of the table that holds it. */
function layerOf(path) {
  const inside = relative(source, path);
  const holds = (name) => inside.startsWith(`${name}/`);
  return names.filter(holds).sort((a, b) => b.length - a.length)[0];
}

const layering = {
  files: ['src/**/*.ts'],
  plugins: {
    holdfast: {
      rules: {
        layers: {
          create(context) {
            const from = layerOf(context.filename);
            const check = ({ source: imported }) => {
              if (!String(imported?.value).startsWith('.')) return;
              const to = layerOf(resolve(dirname(context.filename), imported.value));
              if (to === from || layers[from]?.includes(to)) return;
              context.report({
                node: imported,
                message: `Layer ${from} must not import ${to} (layers.json).`,
              });
            };
            return {
              ImportDeclaration: check,
              ImportExpression: check,
              ExportNamedDeclaration: check,
              ExportAllDeclaration: check,
            };
          },
        },
      },
    },
  },
  rules: { 'holdfast/layers': 'error' },
};

/** One way to be private, which also holds at run time. Only a constructor has no other way. */
const privateMembers = [
  "PropertyDefinition[accessibility='private']",
  "MethodDefinition[accessibility='private'][kind!='constructor']",
  "TSParameterProperty[accessibility='private']",
].map((selector) => ({ selector, message: 'Use a #private name.' }));

/**
 * `noUncheckedIndexedAccess` types each `list[i]` as perhaps undefined, also inside a loop over that list, so
 * `list[i]!` stays allowed. Anything else that must be there goes through `present()`, which checks it.
 */
const assertedIndexOnly = {
  selector: 'TSNonNullExpression[expression.computed!=true]',
  message: 'Use present() from core/present.ts, or narrow the type. Only list[i]! is allowed.',
};

const strict = {
  files: ['{src,test,bench,web}/**/*.{ts,tsx}'],
  extends: [tseslint.configs.strictTypeChecked],
  rules: {
    // assertedIndexOnly instead, which knows the one place where `!` is the right word.
    '@typescript-eslint/no-non-null-assertion': 'off',
    'no-restricted-syntax': ['error', ...privateMembers, assertedIndexOnly],
    // A number reads the same in a template as through String().
    '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    // Over code points, which is what a name or an identifier consists of here.
    '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
    // rclnodejs takes a message type as a class with static members.
    '@typescript-eslint/no-extraneous-class': ['error', { allowStaticOnly: true }],
    // `() => clear()` as a callback that returns nothing confuses nobody; `x = clear()` does.
    '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
  },
};

/** `@fastify/websocket` and `ws` declare one class, which this rule takes for two. */
const sameSocket = {
  files: ['src/monitors/http/http-server.ts'],
  rules: { '@typescript-eslint/no-unsafe-class-instance-assignment': 'off' },
};

/** Compiles the reader of a message type, out of a text that is made of field names it has checked. */
const generatesCode = {
  files: ['src/exporters/columns/generate-cdr.ts'],
  rules: { '@typescript-eslint/no-implied-eval': 'off' },
};

// Only app/ and host/ may read the clock and the environment, and end the process.
const injected = {
  files: ['src/**/*.ts'],
  ignores: ['src/app/**', 'src/host/**', 'src/testing/**'],
  rules: {
    'no-restricted-globals': [
      'error',
      ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'performance'].map(
        (name) => ({ name, message: 'Take the Clock port (core/clock.ts) instead.' }),
      ),
    ],
    'no-restricted-imports': [
      'error',
      ...['timers', 'timers/promises', 'perf_hooks'].flatMap((name) =>
        [name, `node:${name}`].map((path) => ({
          name: path,
          message: 'Take the Clock port (core/clock.ts) instead.',
        })),
      ),
    ],
    'no-restricted-syntax': [
      'error',
      {
        selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
        message: 'Take the Clock port instead.',
      },
      { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Take the Clock port.' },
      {
        selector: "MemberExpression[object.name='process'][property.name=/^(env|exit|exitCode)$/]",
        message: 'Only app/ and host/ read the environment or end the process.',
      },
      ...privateMembers,
      assertedIndexOnly,
      { selector: 'ExportAllDeclaration', message: 'List exports explicitly.' },
      { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
    ],
  },
};

/** Gives the event loop a turn, which has nothing to do with time: a simulated clock must not decide about it. */
const yields = { files: ['src/core/mcap/turns.ts'], rules: { 'no-restricted-imports': 'off' } };

/** A function fits on a screen, with its comments and blank lines: those are read too. */
const shortFunctions = {
  files: ['{src,bench,web}/**/*.{ts,tsx}', 'bin/**/*.mjs', '.ci/*.mjs'],
  // The contract suites: a suite is a list of cases, and each case is a function of its own.
  ignores: ['src/testing/store-*.ts', 'src/testing/source-contract.ts'],
  rules: {
    'max-lines-per-function': ['error', { max: 70, skipBlankLines: false, skipComments: false, IIFEs: true }],
  },
};

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/', 'bench-results/'] },
  ...tseslint.configs.recommended,
  strict,
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
    },
  },
  generatesCode,
  sameSocket,
  shortFunctions,
  layering,
  injected,
  yields,
  prettier,
);
