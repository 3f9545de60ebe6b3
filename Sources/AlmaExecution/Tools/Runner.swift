/// The few lines that start a user's program inside its interpreter, as if it had been started by hand.
enum Runner {
    /// Sandbox/Python/run.py.
    static let python = String(decoding: PackageResources.run_py, as: UTF8.self)

    /// Module loading as for a main program, under the name the user typed.
    static let javascript = """
        const [path, shown] = process.argv.splice(1, 2);
        const Module = require('module'), source = require('fs').readFileSync(path, 'utf8');
        if (shown !== '[eval]') process.argv.splice(1, 0, shown);
        const main = new Module(shown, null);
        main.filename = path;
        main.paths = Module._nodeModulePaths('/workspace');
        process.mainModule = require.main = main;
        main._compile(source.replace(/^#!.*/, ''), shown);
        """
}
