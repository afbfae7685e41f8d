# Lints, renders and validates charts: a list of {chart, values, version} on standard input, one result each on
# standard output. What no Kubernetes schema describes is left to the caller.
import json
import sys

import helm_python
import kubernetes_validate
import yaml


def judge(path, values, version):
    report = helm_python.lint(path, values, strict=True)
    found = [one for one in report['messages'] if one['severity'] > 1] + report['errors']
    try:
        with helm_python.Chart.load(path) as chart:
            rendered = chart.render(values=values, name='fleet', namespace='robots')
    except helm_python.HelmError as error:
        return {'error': str(error)}
    objects, faults = [], []
    for name, text in rendered.items():
        if name.endswith('.txt'):
            continue
        for one in yaml.safe_load_all(text):
            if one is None:
                continue
            objects.append(one)
            if one['apiVersion'].startswith('monitoring.coreos.com/'):
                continue
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except Exception as error:
                faults.append(f'{name} {one["kind"]}: {getattr(error, "message", error)}')
    return {'lint': found, 'objects': objects, 'faults': faults}


print(json.dumps([judge(f'{sys.argv[1]}/{one["chart"]}', one['values'], one['version']) for one in json.load(sys.stdin)]))
