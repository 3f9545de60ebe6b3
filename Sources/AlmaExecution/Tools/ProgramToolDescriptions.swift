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
            "stdout": ["type": "string", "description": "What was printed, at most the first and last half of `output`."],
            "stderr": ["type": "string"],
            "return_code": ["type": "integer", "description": "128+N when signal N ended it; null when ALMA ended it."],
            "execution_time": ["type": "number", "description": "Seconds the program ran."],
        ],
    ]

    static let python = ToolDescription(
        name: "python", aliases: ["python_executor"], title: "Python", level: .safeExecute,
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
        name: "javascript", title: "JavaScript", level: .safeExecute,
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
        name: "shell", aliases: ["shell_executor"], title: "Shell", level: .privileged,
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
