import AlmaModel

extension ToolDescription {
    private static let timeout: JSON = [
        "type": "number", "minimum": 0.001, "maximum": 86400, "description": "Seconds of wall time (default 30).",
    ]
    private static let arguments: JSON = [
        "type": "array", "items": ["type": "string"], "description": "Arguments of the program.",
    ]
    private static let programOutput: JSON = [
        "type": "object",
        "properties": [
            "stdout": [
                "type": "string", "description": "What was printed, at most the first and last half of `output`.",
            ],
            "stderr": ["type": "string"],
            "return_code": [
                "type": "integer", "description": "128+N when signal N ended it; null when ALMA ended it.",
            ],
            "execution_time": ["type": "number", "description": "Seconds the program ran."],
        ],
    ]

    static let python = ToolDescription(
        name: "python", aliases: ["python_executor"], title: "Python", level: .safeExecute, profile: "python",
        description: "Runs a Python program in a fresh sandbox; its working directory is /workspace.",
        inputSchema: [
            "type": "object",
            "properties": [
                "code": ["type": "string", "maxLength": 8_000_000, "description": "The program's text."],
                "file": ["type": "string", "minLength": 1, "description": "Or a program in the workspace, by path."],
                "args": arguments,
                "timeout": timeout,
                "environment": [
                    "type": "string", "enum": ["sandbox", "isolated"],
                    "description": "isolated: without workspace and without site-packages (default sandbox).",
                ],
            ],
            "oneOf": [["required": ["code"]], ["required": ["file"]]], "additionalProperties": false,
        ],
        outputSchema: programOutput, examples: [["code": "print(6*7)"]])

    static let javascript = ToolDescription(
        name: "javascript", title: "JavaScript", level: .safeExecute, profile: "javascript",
        description: "Runs a JavaScript program with Node.js in a fresh sandbox; its working directory is /workspace.",
        inputSchema: [
            "type": "object",
            "properties": [
                "code": ["type": "string", "maxLength": 8_000_000, "description": "The program's text."],
                "file": ["type": "string", "minLength": 1, "description": "Or a program in the workspace, by path."],
                "args": arguments, "timeout": timeout,
            ],
            "oneOf": [["required": ["code"]], ["required": ["file"]]], "additionalProperties": false,
        ],
        outputSchema: programOutput, examples: [["code": "console.log(6*7)"]])

    static let shell = ToolDescription(
        name: "shell", aliases: ["shell_executor"], title: "Shell", level: .privileged, profile: "shell",
        description: "Runs a shell command, or a program by its arguments without a shell, in a fresh sandbox.",
        inputSchema: [
            "type": "object",
            "properties": [
                "command": ["type": "string", "maxLength": 120_000, "description": "For /bin/sh -c."],
                "argv": [
                    "type": "array", "items": ["type": "string"], "minItems": 1,
                    "description": "Or a program and its arguments, passed as they are.",
                ],
                "timeout": timeout,
            ],
            "oneOf": [["required": ["command"]], ["required": ["argv"]]], "additionalProperties": false,
        ],
        outputSchema: programOutput, examples: [["command": "ls -l | wc -l"], ["argv": ["printf", "%s", "$HOME"]]])
}

extension ToolDescription {
    static let calculator = ToolDescription(
        name: "calculator", aliases: ["math_calculator"], title: "Calculator", level: .safeExecute, profile: "files",
        description: """
            Computes an arithmetic expression written as in Python: + - * / // % ** and parentheses, numbers such as \
            42, 1e3 and 0xff, the constants pi, e and tau, and the functions sqrt, sin, cos, tan, asin, acos, atan, \
            atan2, exp, log, log2, log10, abs, floor, ceil, round, min, max, gcd and factorial. Whole numbers are \
            exact within 64 bits.
            """,
        inputSchema: InputSchema.object([
            InputSchema.field(
                "expression", "string", "The expression, for example (2**10 + 1) / 3.",
                ["minLength": 1, "maxLength": 4096])
        ]),
        outputSchema: InputSchema.object([
            InputSchema.field("value", "number", "The value; an integer where it is whole and computed exactly.")
        ]),
        examples: [["expression": "2**10 + 1"], ["expression": "sqrt(2) * sin(pi / 4)"]])
}
