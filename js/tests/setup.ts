import { setMaxListeners } from "node:events";

// One signal ends everything that belongs to a widget; Node takes more than ten for a leak.
setMaxListeners(100);
