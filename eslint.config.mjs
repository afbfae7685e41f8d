import { readFileSync } from 'node:fs';
import tseslint from 'typescript-eslint';
import prettier from 'eslint-config-prettier';

// One table says which layer may import which; test/architecture.test.ts reads the same file.
const layers = JSON.parse(readFileSync(new URL('./layers.json', import.meta.url), 'utf8'));
const names = Object.keys(layers);

const layering = names.map((layer) => ({
  files: [`src/${layer}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: names
          .filter((other) => other !== layer && !layers[layer].includes(other))
          .map((other) => ({
            regex: `^(\\.\\./)+${other}/`,
            message: `Layer ${layer} must not import ${other} (layers.json).`,
          })),
      },
    ],
  },
}));

// Nothing below app/ reads the clock, the environment or ends the process.
const injected = {
  files: names.filter((layer) => layer !== 'app').map((layer) => `src/${layer}/**/*.ts`),
  rules: {
    'no-restricted-syntax': [
      'error',
      {
        selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
        message: 'Take the Clock port instead.',
      },
      { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Take the Clock port.' },
      {
        selector: "MemberExpression[object.name='process'][property.name=/^(env|exit|exitCode)$/]",
        message: 'Only app/ reads the environment or ends the process.',
      },
      { selector: 'ExportAllDeclaration', message: 'List exports explicitly.' },
      { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
    ],
  },
};

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'bench-results/'] },
  ...tseslint.configs.recommended,
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
  ...layering,
  injected,
  prettier,
);
