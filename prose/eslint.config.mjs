import { readFileSync } from 'node:fs';
import tseslint from 'typescript-eslint';
import { parse } from 'yaml';

// The constructions that textlint.yml bans, for the strings and comments of code: `npm run prose`.
const { rules } = parse(readFileSync(new URL('./textlint.yml', import.meta.url), 'utf8'));
const banned = rules['@textlint-rule/pattern'].patterns.map(({ pattern, message }) => {
  const [, source, flags] = /^\/(.*)\/(\w*)$/.exec(pattern);
  return { pattern: new RegExp(source, flags), message };
});

/** The text of a string, also of one that is put together from pieces; undefined if it is not a string. */
function textOf(node) {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined;
  if (node.type === 'TemplateLiteral') return node.quasis.map(({ value }) => value.cooked).join('0');
  if (node.type !== 'BinaryExpression' || node.operator !== '+') return undefined;
  return `${textOf(node.left) ?? '0'}${textOf(node.right) ?? '0'}`;
}

/** Runs of line comments are one text, and so is a block comment without its leading stars. */
function commentTexts(comments) {
  const texts = [];
  for (const { type, value, loc } of comments) {
    const last = texts.at(-1);
    if (type === 'Line' && last?.isLine && last.loc.end.line === loc.start.line - 1) {
      last.text += value;
      last.loc = { start: last.loc.start, end: loc.end };
    } else {
      texts.push({ isLine: type === 'Line', text: value.replace(/\n\s*\*/g, '\n'), loc });
    }
  }
  return texts;
}

const plainEnglish = {
  create(context) {
    const check = (text, loc) => {
      for (const { pattern, message } of banned) {
        const found = pattern.exec(text);
        if (found) context.report({ loc, message: `"${found[0].replace(/\s+/g, ' ')}": ${message}` });
      }
    };
    const checkString = (node) => {
      // The outermost string of a concatenation has all of its text.
      if (node.parent.type === 'BinaryExpression' && node.parent.operator === '+') return;
      check(textOf(node) ?? '', node.loc);
    };
    return {
      Program() {
        for (const { text, loc } of commentTexts(context.sourceCode.getAllComments())) check(text, loc);
      },
      Literal: checkString,
      TemplateLiteral: checkString,
      BinaryExpression: checkString,
      JSXText: (node) => check(node.value, node.loc),
    };
  },
};

export default [
  {
    ignores: ['dist/', 'node_modules/', 'bench-results/', 'test/fixtures/'],
  },
  {
    files: ['**/*.ts', '**/*.tsx', '**/*.mjs'],
    languageOptions: { parser: tseslint.parser },
    plugins: { prose: { rules: { 'plain-english': plainEnglish } } },
    rules: { 'prose/plain-english': 'error' },
  },
];
