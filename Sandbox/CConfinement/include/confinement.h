#ifndef ALMA_CONFINEMENT_H
#define ALMA_CONFINEMENT_H

#include "syscalls.h"

#endif
