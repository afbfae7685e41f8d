// Loaded into mocha when coverage is measured: Node has read the variable by now, and the hundreds of processes that
// the tests start and kill would each write megabytes.
delete process.env.NODE_V8_COVERAGE;
