// docs/deploy: the files are what their programs read, and agree with the command line and the routes that there are.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse, parseAllDocuments } from "yaml";
import { readArguments } from "../../src/cli/command.ts";
import { serve } from "../../src/cli/serve.ts";
import { PREFIX_HEADER } from "../../src/server/prefix.ts";
import { read } from "../tools/source.ts";

const test = suite("server: deploy");

interface Container {
  readonly args: string[];
  readonly env: { readonly name: string }[];
  readonly ports: { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly volumeMounts: { readonly name: string }[];
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

/** Asserts that the command line takes these words, and gives its port. */
function served([command, ...words]: readonly string[]): number {
  assert.is(command, "serve");
  return readArguments(serve, words).number("port")!;
}

test("the Kubernetes manifest is a deployment and its service, with our probes, options and port", () => {
  const documents = parseAllDocuments(read("docs/deploy/kubernetes.yaml"));
  assert.equal(
    documents.flatMap(({ errors }) => errors),
    [],
  );
  const [deployment, service] = documents.map((each) => each.toJS() as never) as unknown as [
    { kind: string; spec: { selector: { matchLabels: object }; template: { metadata: { labels: object }; spec: { containers: Container[]; volumes: { name: string }[]; terminationGracePeriodSeconds: number } } } },
    { kind: string; spec: { selector: object; ports: { targetPort: string }[] } },
  ]; // prettier-ignore
  assert.equal([deployment.kind, service.kind], ["Deployment", "Service"]);
  const { template, selector } = deployment.spec;
  assert.equal(template.metadata.labels, selector.matchLabels);
  assert.equal(service.spec.selector, selector.matchLabels);
  const [container] = template.spec.containers;
  const [port] = container.ports;
  assert.is(served(container.args), port.containerPort);
  assert.is(service.spec.ports[0].targetPort, port.name);
  assert.is(container.readinessProbe.httpGet.path, "/health/ready");
  for (const probe of [container.startupProbe, container.livenessProbe]) assert.is(probe.httpGet.path, "/health/live");
  for (const { name } of container.volumeMounts)
    assert.ok(
      template.spec.volumes.some((each) => each.name === name),
      name,
    );
  assert.equal(
    container.env.map(({ name }) => name),
    ["LLARIAT_API_KEY"],
  );
});

test("the compose file's replicas and balancer fit together", () => {
  const { services } = parse(read("docs/deploy/compose.yaml")) as {
    services: Record<
      string,
      { command: string[]; environment: object; healthcheck: { test: string[] }; volumes: string[] }
    >;
  };
  const { llariat, balancer } = services;
  const port = served(llariat.command);
  assert.ok(llariat.healthcheck.test.at(-1)!.includes(`127.0.0.1:${port}/health/ready`));
  assert.equal(Object.keys(llariat.environment), ["LLARIAT_API_KEY"]);
  assert.match(balancer.volumes[0], /^\.\/nginx\.conf:/);
  const nginx = read("docs/deploy/nginx.conf");
  assert.match(nginx, new RegExp(`server llariat:${port} resolve;`));
  assert.ok(nginx.includes(`$http_${PREFIX_HEADER.replaceAll("-", "_")}`));
});

test.run();
