// The page without TensorBoard around it.

import { render } from "./index.js";

render();
