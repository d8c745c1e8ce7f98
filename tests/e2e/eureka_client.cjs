// eureka-js-client, remote-controlled: one JSON command a line comes in, one JSON event a line goes out.
// Arguments: the folder node_modules. Ends when its input ends.
"use strict";

const { createRequire } = require("node:module");
const readline = require("node:readline");

const { Eureka } = createRequire(process.argv[2] + "/")("eureka-js-client");
const say = (event, detail = {}) => process.stdout.write(JSON.stringify({ event, ...detail }) + "\n");
const fail = (error) => say("failed", { reason: String(error) });
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

let client = null;
let own = null;

// The client has no call for overrides; this is its own way to ask, with retries and all.
const status = (method, query, event) =>
  client.eurekaRequest({ method, uri: `${own}/status${query}` }, (error, response) => {
    if (error || response.statusCode !== 200) fail(error || response.statusCode);
    else say(event);
  });

const commands = {
  start: ({ url, app, id, port }) => {
    const { hostname, port: eurekaPort } = new URL(url);
    own = `${app}/${id}`;
    client = new Eureka({
      logger: quiet,
      shouldUseDelta: true,
      instance: {
        app,
        instanceId: id,
        hostName: "127.0.0.1",
        ipAddr: "127.0.0.1",
        vipAddress: app,
        port: { $: port },
        dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
      },
      eureka: {
        host: hostname,
        port: Number(eurekaPort),
        servicePath: "/eureka/apps/",
        heartbeatInterval: 200,
        registryFetchInterval: 100,
      },
    });
    client.start((error) => (error ? fail(error) : say("started")));
  },
  apps: ({ app }) =>
    say("apps", {
      instances: client.getInstancesByAppId(app).map((each) => ({ id: each.instanceId, status: each.status })),
    }),
  override: ({ status: value }) => status("PUT", `?value=${value}`, "overridden"),
  restore: () => status("DELETE", "", "restored"),
  stop: () => client.stop((error) => (error ? fail(error) : say("stopped"))),
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { command, ...options } = JSON.parse(line);
  try {
    commands[command](options);
  } catch (error) {
    fail(error);
  }
});
