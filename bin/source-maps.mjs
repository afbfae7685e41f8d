// Loaded into the process of the tests: stacks name TypeScript. Not by --enable-source-maps, which the hundreds of
// processes that tests start with `process.execArgv` would take over, and then read the source map of every module.
process.setSourceMapsEnabled(true);
