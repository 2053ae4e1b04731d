"""This file's job is to render a chart as Helm does, and to compare what comes out with the schemas of Kubernetes.

Reads {"chart", "cases": [{"release", "values"}]} from standard input and writes one answer for each case: {"refused": why} or
{"documents", "notes", "problems"}.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml

# The oldest that Chart.yaml allows, and the newest that the package knows.
VERSIONS = ["1.27", kubernetes_validate.latest_version()]
# Resources of others, which have no schema there.
FOREIGN_KINDS = {"PodMonitor"}
# Levels of Helm's lint: 1 is advice, 2 a warning, 3 an error.
WARNING = 2


class StrictLoader(yaml.SafeLoader):
    """Refuses keys that stand twice, of which others silently take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"keys stand twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def problems_of(document, checked):
    text = json.dumps(document, sort_keys=True)
    if text not in checked:
        checked[text] = list(schema_problems(document))
    return checked[text]


def schema_problems(document):
    if document["kind"] in FOREIGN_KINDS:
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            place = ".".join(str(part) for part in getattr(error, "absolute_path", []))
            yield f"{document['kind']} {document['metadata']['name']} in {version}: {place}: {error.message}"


def answer(chart, path, case, checked):
    try:
        texts = chart.render(case["values"], name=case["release"], namespace="tests")
    except helm_python.HelmError as error:
        return {"refused": str(error)}
    notes = "".join(text for name, text in texts.items() if name.endswith("NOTES.txt"))
    manifests = [text for name, text in sorted(texts.items()) if name.endswith(".yaml")]
    documents = [each for text in manifests for each in yaml.load_all(text, StrictLoader) if each]
    problems = [problem for document in documents for problem in problems_of(document, checked)]
    lint = helm_python.lint(path, case["values"])
    problems += lint["errors"] + [each["error"] for each in lint["messages"] if each["severity"] >= WARNING]
    return {"documents": documents, "notes": notes, "problems": problems}


def main():
    request = json.load(sys.stdin)
    path, checked = request["chart"], {}
    with helm_python.Chart.load(path) as chart:
        json.dump([answer(chart, path, case, checked) for case in request["cases"]], sys.stdout)


if __name__ == "__main__":
    main()
