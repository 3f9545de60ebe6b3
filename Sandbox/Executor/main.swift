import AlmaModel
import AlmaWire
import CConfinement
