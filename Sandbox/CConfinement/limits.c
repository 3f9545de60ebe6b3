#include "confinement.h"
