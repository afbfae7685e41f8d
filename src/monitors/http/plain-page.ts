/** Shown if the dashboard was not built: enough to see that the recorder runs and where to look. */
export const plainPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast</title>
</head>
<body>
<h1>Holdfast</h1>
<p>The recorder runs. The dashboard is not part of this build; the API is:</p>
<ul>
<li><a href="/status">status</a></li>
<li><a href="/topics">topics</a></li>
<li><a href="/segments">segments</a></li>
<li><a href="/alerts">alerts</a></li>
<li><a href="/metrics">metrics</a></li>
<li><a href="/openapi.json">OpenAPI</a></li>
</ul>
</body>
</html>
`;
